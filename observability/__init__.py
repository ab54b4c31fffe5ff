"""The observer: what happened, where it is stored, who is told. It knows the observed, never the reverse."""
