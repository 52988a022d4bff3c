"""Who somebody is: challenges and their answers."""
