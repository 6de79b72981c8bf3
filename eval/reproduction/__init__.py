"""`docs/reproduction.md`: the paper's tables and figures beside what we measured.

stored.py      docs/results: what was measured, and the paper's numbers
markdown.py    tables of both
about_*.py     a section a table or figure: what is compared, with which caveats and commands
sections.py    all of them in order
__main__.py    the commands: write the document, store a result
"""
