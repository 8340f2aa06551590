"""State machines: committed entries in, state out; no file, socket, clock, thread or chance."""
