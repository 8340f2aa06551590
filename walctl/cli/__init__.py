"""What a person types: the only room that imports click, and one thin module a command."""
