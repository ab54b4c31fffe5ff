"""Read-only numbers about sync for whoever observes it. They come with the sync engine."""
