"""One member and several: what starts and runs them."""
