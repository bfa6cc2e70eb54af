"""What joins the stages into one job. Imports every other package, lazily."""
