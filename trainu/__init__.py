"""The project: settings, the kernel that both apps share, and everything that composes them."""
