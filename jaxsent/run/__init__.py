"""What a run is: how a config becomes one, its folder, its state, its devices."""
