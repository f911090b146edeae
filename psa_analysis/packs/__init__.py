"""What leaves the building: notebooks executed and exported, and the pack around them."""
