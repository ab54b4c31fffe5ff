"""Dead letters: what GoHighLevel or our own processing would not take, kept until somebody decides."""
