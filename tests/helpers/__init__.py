"""What several test modules share: memory layouts here, a folder for what one noun needs."""
