"""Orders: how they are taken, what each action does to a subscription, and how they are read back."""
