"""How participants get into a call and stay in it: offers and answers to and from kiosks; media never passes here."""
