"""How dates are written where Django writes them itself. Django wants a package for each language."""
