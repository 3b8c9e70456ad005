"""Questions to a network before, beside and instead of a long run: is it sane, right and fast?"""
