"""What a trained network looks at: filters, maps, patches, gradients, sensitivity, embeddings."""
