"""`make demo`: everything on one machine, with real price lists, made-up customers and a local Zuora."""
