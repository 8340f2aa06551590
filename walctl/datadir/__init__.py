"""One member directory seen whole: layout, survey, and what a server start would make of it."""
