"""`docs/reproduction.md`: the paper's tables and figures beside what we measured.

names.py       what tasks, models and methods are called
stored.py      docs/results: what was measured, and the paper's numbers
kinds.py       which results the sections read, and of which command
markdown.py    tables
compared.py    a comparison of methods as text
studied.py     a study of directions as text
differences.py where a comparison differs from the paper's
commands.py    what would be run on the paper's models
about_*.py     a section a table or figure: what is compared, with which caveats and commands
sections.py    all of them in order
__main__.py    the commands: write the document, store a result
"""
