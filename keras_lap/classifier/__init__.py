"""What a classifier takes and gives, and what is known of it, brought into one form."""
