"""Operations of the hub."""
