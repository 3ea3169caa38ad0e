"""The steps of the protect journey: keep inventory, DeleteOnTermination and alarms current."""
