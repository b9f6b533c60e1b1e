"""A local, stateful Zuora: one WSGI application that answers in Zuora's own shapes, kept in memory or in a file.

It knows nothing of the project around it and needs no Django, so it can be lifted out and used on its own.
`FIDELITY.md` lists every behaviour with its source.
"""
