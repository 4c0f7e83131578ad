"""Foreign bytes to events and back: one module or folder a format; `formats` finds them."""
