"""How dates look where the framework writes them, language by language."""
