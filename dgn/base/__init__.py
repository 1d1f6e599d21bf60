"""What every room stands on: errors, files, images, arithmetic; imports nothing of the others."""
