"""What `seed_demo` furnishes the demo with: people, stalls, goods, pictures, a past."""
