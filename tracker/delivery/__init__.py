"""What a run tells others while it goes on: event files, webhooks, MQTT, and the pictures."""
