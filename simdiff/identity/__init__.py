"""What a function or a class of a user is, told from its code: what names in a digest cannot tell."""
