"""What the steps of several journeys use."""
