"""What an estimate varies like: the information, its inverse, and the sandwiches around it."""
