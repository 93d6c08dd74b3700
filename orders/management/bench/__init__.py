"""What placing an order costs, beside the same rows written without us."""
