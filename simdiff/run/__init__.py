"""Runs as objects: what `open`, `sweep` and `validate` return, and what the command line writes to folders.

`verbs` has the functions that users call, `run` the object, `contents` its tables and facts, `record` what a
folder keeps of the command that made it, `reopened` the way back from a folder to problems,
`drawing` figures in matplotlib axes, `writing` the report, `several` theories on the same trials.
"""
