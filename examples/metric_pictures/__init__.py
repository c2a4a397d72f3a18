"""What each metric measures, drawn on one scene; one module per metric."""
