"""The paper's claims: what makes each one's pictures, the numbers that settle it, and the page that tells them."""
