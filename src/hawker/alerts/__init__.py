"""What an operator must hear of: raised once while it lasts, closed when it is over."""
