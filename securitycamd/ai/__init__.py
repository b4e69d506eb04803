"""The only room that speaks to the AI server: the client, the prompts, the stills, the reading of replies.

What models say is untrusted text: it leaves this room bounded and without control characters, and it is
never used as markup, a path, a filter or a command.
"""
