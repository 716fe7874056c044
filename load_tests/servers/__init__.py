"""The same model behind other servers, to be measured beside ours."""
