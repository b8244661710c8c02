"""OpenAI's endpoints: pure translators beside thin handlers."""
