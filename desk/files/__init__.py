"""What kiosks upload, and what is made of it: the store, uploads, films with drawings, serving."""
