"""What is behind a server's message: pages of words, causes, and what their tests look at."""
