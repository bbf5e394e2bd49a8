"""How batches reach `fit`: their forms, drawn ahead, for each backend."""
