export interface Order {
  order_id: number;
  amount: number;
  language: string;
}

export async function ship(order: Order): Promise<string> {
  return `shipped by typescript: ${order.order_id}`;
}
