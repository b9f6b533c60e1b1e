"""Pages behind the deep links, so that a billing ID opens something."""
