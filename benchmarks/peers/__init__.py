"""Other projects' energy tools and ours against one simulated card of exactly known truth."""
