"""What is sold: categories, services, prices, and which provider's service stands behind each."""
