"""The system behind `lucidlink`: engine, hub, wire and stores. Internal by location; users import `lucidlink`."""
