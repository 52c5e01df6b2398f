"""How the book is made: executing the pages, rendering them, and how they look."""
