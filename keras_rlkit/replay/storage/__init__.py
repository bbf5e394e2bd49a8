"""What is kept, and where: transitions, frames, their media and limits."""
