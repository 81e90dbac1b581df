"""The data of `hawker up --demo`: a customer with funds, the sandbox as provider, its catalogue."""
