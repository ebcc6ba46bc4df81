"""What single rows do and lack: scores, influence, leaving one out, residuals."""
