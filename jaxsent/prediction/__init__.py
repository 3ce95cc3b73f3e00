"""What a trained network says of photographs."""
