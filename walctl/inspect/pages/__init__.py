"""The pages of `walctl explain`: one for each code and each exit status."""
