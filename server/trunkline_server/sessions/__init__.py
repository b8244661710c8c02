"""Sessions: many requests at once on one stream, and the conversations kept between them."""
